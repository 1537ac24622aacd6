"""How far a client's TTFT and ITL are from what the server did: Chimera's client and its peers, one run.

``python -m benchmarks.fidelity`` starts the reference server, lets each client do the same closed-loop
work, and compares what each reports with the server's own log. ``clients`` are the programs that are
measured, ``contestants`` say how each is started and its export is read.
"""
