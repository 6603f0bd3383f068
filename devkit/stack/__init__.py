"""Processes of a project: started, watched until they are ready, kept running, heard, and surely ended."""
