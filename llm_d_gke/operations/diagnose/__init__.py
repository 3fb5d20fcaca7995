"""Finds why a running stack does not serve: causes with fixes, from objects, events and logs.

`facts` collects, `command` asks for causes in the order in which one follows from another: `pods` with the `capacity`
that they wait for, then `routing`. `planned` compares objects with the plan where nothing else explains it. `halfway`
says where requests go while a change is half done.
`messages` has the known causes from messages.yaml and states.yaml, `cause` the value types.
"""
