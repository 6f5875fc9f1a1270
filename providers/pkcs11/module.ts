/** A handle of a slot, session or object. */
export type Pkcs11Handle = Uint8Array

/** An attribute to find an object by. */
export interface Pkcs11Attribute {
  type: number
  value: number | boolean | string | Uint8Array
}

/** A mechanism with its parameter, as pkcs11js takes it. */
export interface Pkcs11Mechanism {
  mechanism: number
  parameter: Readonly<Record<string, number | Uint8Array>>
}

/** The part of the class `PKCS11` of pkcs11js that is used, with its library loaded. */
export interface Pkcs11Module {
  C_Initialize(options: { flags: number }): unknown
  C_GetSlotList(tokenPresent: boolean): Pkcs11Handle[]
  C_GetTokenInfo(slot: Pkcs11Handle): { label: string }
  C_OpenSession(slot: Pkcs11Handle, flags: number): Pkcs11Handle
  C_CloseSession(session: Pkcs11Handle): unknown
  C_Login(session: Pkcs11Handle, user: number, pin: string): unknown
  C_FindObjectsInit(session: Pkcs11Handle, template: Pkcs11Attribute[]): unknown
  C_FindObjects(session: Pkcs11Handle, max: number): Pkcs11Handle[]
  C_FindObjectsFinal(session: Pkcs11Handle): unknown
  C_EncryptInit(session: Pkcs11Handle, mechanism: Pkcs11Mechanism, key: Pkcs11Handle): unknown
  C_EncryptAsync(session: Pkcs11Handle, input: Uint8Array, output: Uint8Array): Promise<Uint8Array>
  C_DecryptInit(session: Pkcs11Handle, mechanism: Pkcs11Mechanism, key: Pkcs11Handle): unknown
  C_DecryptAsync(session: Pkcs11Handle, input: Uint8Array, output: Uint8Array): Promise<Uint8Array>
}

/** The methods of a module, each of which a key may need. */
export const MODULE_METHODS: readonly (keyof Pkcs11Module)[] = [
  'C_Initialize',
  'C_GetSlotList',
  'C_GetTokenInfo',
  'C_OpenSession',
  'C_CloseSession',
  'C_Login',
  'C_FindObjectsInit',
  'C_FindObjects',
  'C_FindObjectsFinal',
  'C_EncryptInit',
  'C_EncryptAsync',
  'C_DecryptInit',
  'C_DecryptAsync',
]

/** One call of the module: its name, then its arguments. */
export type Pkcs11Call = {
  [Method in keyof Pkcs11Module]: readonly [Method, ...Parameters<Pkcs11Module[Method]>]
}[keyof Pkcs11Module]

/** Runs calls one after another, stops at the first that fails, and returns the result of each. */
export interface Pkcs11Runner {
  run(calls: readonly Pkcs11Call[]): Promise<unknown[]>
  close(): Promise<void>
}

/** Runs the calls in this thread, on a module of the user. */
export function inThread(module: Pkcs11Module): Pkcs11Runner {
  return {
    async run(calls) {
      const results: unknown[] = []
      for (const [method, ...args] of calls) {
        const run = module[method] as (this: Pkcs11Module, ...args: unknown[]) => unknown
        results.push(await run.apply(module, args))
      }
      return results
    },
    async close() {},
  }
}
