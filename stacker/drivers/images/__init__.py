"""Images: from registries and files into the store, and out of it as what is to be mounted.

`images.Images` is the door; `engine.ports.Images` is what the engine sees of it. From the outside
in: `images` > `pull`, `load`, `import_` > `registry` (`auth`, `transport`, `trust`) and `store`
(`catalog`, `unpacked`, `intake`, `collect`) > `layers`, which makes a tar into an EROFS file.

Nothing here mounts, and nothing resolves a path of an image on the host.
"""
