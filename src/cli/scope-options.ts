import { KEY_PURPOSES } from '../key-store.ts'
import type { KeyScope } from '../keys/scope.ts'
import { type Command, Option } from './vendor.ts'

/** Options that name a scope. */
export interface ScopeOptions {
  readonly tenant?: string
  readonly subject?: string
  readonly bucket?: string
}

/** Adds the options that name a scope. */
export function withScopeOptions(command: Command): Command {
  return command
    .option('--tenant <name>', 'keys of this tenant')
    .option('--subject <id>', 'keys of this person')
    .option('--bucket <name>', 'keys of this period or group')
}

/** The option that names a purpose. */
export function purposeOption(): Option {
  return new Option('--purpose <purpose>', 'what the keys are for').choices([...KEY_PURPOSES])
}

/** The scope that the options name; undefined when they name none. */
export function scopeOf({ tenant, subject, bucket }: ScopeOptions): KeyScope | undefined {
  const scope = {
    ...(tenant !== undefined && { tenant }),
    ...(subject !== undefined && { subject }),
    ...(bucket !== undefined && { bucket }),
  }
  return Object.keys(scope).length === 0 ? undefined : scope
}
