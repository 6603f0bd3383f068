"""The replay's engine on devkit's side: saved cases, the verdict, and tests written from failures."""
