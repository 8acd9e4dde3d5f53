"""Words that both sides share: geometry, ids, time, kinds, settings and errors. Imports nothing of ours.

Nothing is exported here: geometry needs numpy, which costs 0.1 s CPU, and the process that only writes files never
needs it. Import from the modules.
"""
