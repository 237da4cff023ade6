"""A function for each endpoint: a message in, one call of the engine, a message out.

``routes.py`` lists them. Nothing is decided here, and nothing here names a driver.
"""
