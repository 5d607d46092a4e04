// Passkeys of the browser (WebAuthn), in and out in the JSON form that servers read.

type Options = Readonly<Record<string, unknown>>;

/** True where this browser has passkeys, which takes https or `localhost`, and a name rather than an IP address. */
export const hasPasskeys =
  typeof PublicKeyCredential !== "undefined" &&
  "parseCreationOptionsFromJSON" in PublicKeyCredential &&
  !/^[\d.]+$|:/.test(location.hostname);

/** Have the browser make a passkey. Rejects with a DOMException where the person declines. */
export async function createPasskey(options: Options): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as unknown as PublicKeyCredentialCreationOptionsJSON);
  return serialize(await navigator.credentials.create({ publicKey }));
}

/** Have the browser sign with a passkey that the person chooses. Rejects with a DOMException where they decline. */
export async function getPasskey(options: Options): Promise<Record<string, unknown>> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as unknown as PublicKeyCredentialRequestOptionsJSON);
  return serialize(await navigator.credentials.get({ publicKey }));
}

function serialize(credential: Credential | null): Record<string, unknown> {
  if (!(credential instanceof PublicKeyCredential)) throw new DOMException("No passkey was made.", "NotAllowedError");
  return { ...credential.toJSON() };
}
