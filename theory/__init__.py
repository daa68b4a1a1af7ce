"""Exact statements: memory kernels, linear RNNs, loss, gradient flow, plateaus and width laws, in SymPy."""
