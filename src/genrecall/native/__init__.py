"""What is computed in C where the package was installed with a compiler; NumPy does it elsewhere.

The library is loaded by `ctypes`, which releases the interpreter's lock during a call.
"""
