import { type LegacyScheme, ofText } from '../stored-hash.ts'
import { aspnet } from './aspnet.ts'
import { bcrypt } from './bcrypt.ts'
import { betterAuth } from './better-auth.ts'
import { django } from './django.ts'
import { ldap } from './ldap.ts'
import { passlibPbkdf2 } from './passlib-pbkdf2.ts'
import { phcScrypt } from './phc-scrypt.ts'
import { phpass } from './phpass.ts'
import { shaCrypt } from './sha-crypt.ts'
import { werkzeug } from './werkzeug.ts'
import { wordpress } from './wordpress.ts'

/**
 * Every scheme whose stored text says what it is. `argon2id()` reads them all unless it is told otherwise.
 * `rawDigest()` and `firebaseScrypt()` are not among them: they need to be told about your table.
 */
export const legacySchemes: readonly LegacyScheme[] = [
  bcrypt,
  wordpress,
  phpass,
  django,
  werkzeug,
  passlibPbkdf2,
  phcScrypt,
  betterAuth,
  aspnet,
  ldap,
  shaCrypt,
].map(ofText)
