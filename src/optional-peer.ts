import { ConfigError } from './errors.ts'

/**
 * Imports a package that only some users need, on first use.
 *
 * @param name the npm package, for the message
 * @param load the import, written where a bundler can see it
 * @param use what needs it, for example `awsKms`
 * @throws ConfigError that says what to install when it is missing
 */
export async function importPeer<Module>(name: string, use: string, load: () => Promise<Module>): Promise<Module> {
  try {
    return await load()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const missing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
    if (!missing || !message.includes(name)) throw error
    throw new ConfigError(`${use} needs ${name}: npm install ${name}`, { cause: error })
  }
}
