"""The study that tests of the command, the sweeps and the report write to a file: a pair of units and one bump."""

import json

LAG = "target.terms.1.lag"


def pair_study(swept, digits):
    """Text of a study, to which sections may be added. swept: dotted path -> values, strings as a study writes them."""
    sweep = "".join(f"{json.dumps(path)} = {json.dumps(values)}\n" for path, values in swept.items())
    return f"""[target]
terms = [{{kind = "exponential"}}, {{kind = "gaussian", lag = "8"}}]
[start]
amplitudes = ["1", "0"]
rates = ["1", "0.7"]
[escape]
drop = "0.05"
[precision]
digits = {digits}
[sweep]
{sweep}"""
