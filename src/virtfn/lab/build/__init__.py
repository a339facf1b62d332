"""The parts of the lab: kernel, root image, modules, and the packages and programs that they are made from."""
