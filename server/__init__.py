"""The live-translation server: wire protocol, session host, gateway, dialects of other servers, browser page.

`server.protocol` has the messages, `server.connection` the rules of one socket, `server.live` the books of one session;
none of the three does any I/O. `server.host` keeps sessions and worker processes, `server.gateway` the sockets.
"""
