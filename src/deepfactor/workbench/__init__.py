"""The workbench: a runs folder and a market in a browser on this machine, by the report's own sections.

Starlette routes, Jinja sets the pages on the server, links and forms do the rest: without JavaScript only figures lack.
"""
