"""What devkit is to do in a project: every option, where its value comes from, and which apps the project has."""
