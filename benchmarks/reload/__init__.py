"""`devkit worker` and `devkit api`: from a save until the new code answers, and what becomes of the work in between.

The peers do the same with what one would otherwise type, tuned: `watchmedo auto-restart` and `watchfiles` around
`celery worker`, `uvicorn --reload`. The floors of a worker's reload are a process that has imported everything but the
project and forks: a child that imports the project and calls the task, and one that becomes a solo worker.

A save writes the file in place, as most editors do, and the clock starts when the write has ended. No two saves in a
row leave a file of the same size: bytecode is matched to its source by size and the second of the save, and a reload
that is quick enough would load that of the save before.
"""
