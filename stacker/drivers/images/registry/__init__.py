"""The registry client: the distribution specification 1.1 over HTTP, and whom it may trust.

`registries.Registries` is the door: it knows how each registry is reached, and opens one repository
at a time. From the outside in: `registries` > `repository` and `uploads` (the verbs) > `auth`
(`credentials`) > `transport` (`trust`, `resolver`, `tls`). `patience` and `retry` say how long it
goes on.

Nothing here knows the store: `images.pull` and `images.transfer` bring the two together.
"""
