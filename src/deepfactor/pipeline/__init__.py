"""The order of input and output: each verb of the command line as a function. No maths, no printing."""
