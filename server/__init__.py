"""The WebSocket live-translation server: wire protocol, session host, gateway and browser page.

It will serve the event schema of `simul.session.events` to browsers and other clients. It holds no code yet.
"""
