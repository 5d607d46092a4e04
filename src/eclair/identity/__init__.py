"""Identity providers: OpenID Connect, LDAP and SAML, and the checks of what they say."""
