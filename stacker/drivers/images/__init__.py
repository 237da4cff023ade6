"""Images: from registries and files into the store, and out of it as what is to be mounted.

`images.Images` is the door; `engine.ports.Images` is what the engine sees of it. From the outside
in: `images` > `pull`, `push`, `remote`, `load`, `import_` > `transfer` > `registry`, the client,
and `store` (`catalog`, `unpacked`, `intake`, `collect`) > `layers`, which makes a tar into an EROFS
file.

Nothing here mounts, and nothing resolves a path of an image on the host.
"""
