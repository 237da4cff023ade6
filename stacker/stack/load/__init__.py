"""From the text of stack files to a `Stack`: one file a stage, in the order of `pipeline.STAGES`.

Only `read.py` opens files. Every refusal names the file, the line and the path in it.
"""
