"""Crowd science: arrays in metres in, numbers with units out. Pure functions; no ids, no clock, no input or output.

Nothing is exported here: geometry needs OpenCV, and who only reads numbers never needs it. Import from the modules.
"""
