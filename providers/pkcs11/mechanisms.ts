import type { Pkcs11Attribute, Pkcs11Mechanism } from './module.ts'

/** Hash of RSA-OAEP and of its mask generation. */
export type OaepHash = 'sha1' | 'sha256' | 'sha384' | 'sha512'

/** A key by its label or by its id. */
export type HsmKeyName = { readonly label: string } | { readonly id: Uint8Array }

/** Object classes and attributes of PKCS#11 v2.40 (pkcs11t.h). */
const CKA_CLASS = 0
const CKA_TOKEN = 1
const CKA_LABEL = 3
const CKA_KEY_TYPE = 256
const CKA_ID = 258
const CLASSES = { 'public key': 2, 'private key': 3, 'secret key': 4 } as const
const CKK_RSA = 0
const CKK_AES = 31

const CKM_RSA_PKCS_OAEP = 9
const CKM_AES_GCM = 4231
const CKZ_DATA_SPECIFIED = 1
/** The numbers by which pkcs11js tells parameters apart. */
const CK_PARAMS_RSA_OAEP = 4
const CK_PARAMS_AES_GCM_V240 = 7

/** CKM_ and CKG_MGF1_ numbers of each hash. */
const HASHES: Readonly<Record<OaepHash, readonly [hash: number, mgf: number]>> = {
  sha1: [544, 1],
  sha256: [592, 2],
  sha384: [608, 3],
  sha512: [624, 4],
}

export function isOaepHash(hash: unknown): hash is OaepHash {
  return typeof hash === 'string' && Object.hasOwn(HASHES, hash)
}

/** AES-GCM with a 96-bit IV and a 128-bit tag. */
export function aesGcm(iv: Uint8Array, aad: Uint8Array): Pkcs11Mechanism {
  const parameter = { type: CK_PARAMS_AES_GCM_V240, iv, aad, ivBits: 96, tagBits: 128 }
  return { mechanism: CKM_AES_GCM, parameter }
}

/** RSA-OAEP without a label, which few tokens take. */
export function rsaOaep(hash: OaepHash): Pkcs11Mechanism {
  const [hashAlg, mgf] = HASHES[hash]
  return {
    mechanism: CKM_RSA_PKCS_OAEP,
    parameter: { type: CK_PARAMS_RSA_OAEP, hashAlg, mgf, source: CKZ_DATA_SPECIFIED },
  }
}

/** Finds a key that is kept on the token. */
export function keyTemplate(kind: keyof typeof CLASSES, name: HsmKeyName): Pkcs11Attribute[] {
  return [
    { type: CKA_CLASS, value: CLASSES[kind] },
    { type: CKA_TOKEN, value: true },
    { type: CKA_KEY_TYPE, value: kind === 'secret key' ? CKK_AES : CKK_RSA },
    'label' in name ? { type: CKA_LABEL, value: name.label } : { type: CKA_ID, value: name.id },
  ]
}

/** The key as a PKCS#11 URI, RFC 7512. */
export function keyUri(token: string, name: HsmKeyName): string {
  const object = 'label' in name ? `object=${encodeURIComponent(name.label)}` : `id=${percent(name.id)}`
  return `pkcs11:token=${encodeURIComponent(token)};${object}`
}

function percent(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}
