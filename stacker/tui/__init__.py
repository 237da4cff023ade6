"""The dashboard: a Textual face over the same client as the command line.

It shows and asks; it decides nothing and knows no supervisor but through ``stacker.client``.
Blocking calls are made in worker threads, which post messages; only handlers touch widgets.
``view.py`` is pure and tested without Textual. Foreign text becomes ``rich.text.Text``, never
markup.
"""
