"""Many clips on many machines: a graph of tasks for each clip, run by Ray, with results in the cache of a local run.

May import: every room before it, and the pipeline.
"""
