"""How the server bears load and faults: real processes and sockets, text that is a function of the samples."""
