"""The verbs of the command line, a file each: arguments in, an exit code out, nothing else.

Each module has `FLAGS` and `run(context, arguments) -> int`. A verb decides what is done and in
which order; how is the business of the packages below.
"""
