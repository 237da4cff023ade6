"""The registry client: the distribution specification 1.1 over HTTP, and whom it may trust.

`registries.Registries` is the door: it knows how each registry is reached (`configuration`), and
opens one repository at a time, or all the `sources` of one. From the outside in: `registries` >
`repository`, `uploads`, `referrers` (the verbs) > `connection` > `auth` (`tokens`, `keychain`) >
`transport` (`trust`, `resolver`, `proxies`, `tls`). `patience` and `retry` say how long it goes on.

Nothing here knows the store: `images.pull` and `images.transfer` bring the two together.
"""
