"""Identity providers: what OpenID Connect, LDAP and SAML say about who signs in, checked before anybody believes it."""
