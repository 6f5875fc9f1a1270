/** The parts of the ARN of a KMS key or of an alias. */
export interface KeyArn {
  readonly partition: string
  readonly region: string
  readonly account: string
  /** `key/…` or `alias/…` */
  readonly resource: string
}

/** @returns undefined when `text` is not the full ARN of a KMS key or alias, as AWS writes it */
export function parseKeyArn(text: string): KeyArn | undefined {
  const [, partition, region, account, resource] = ARN.exec(text) ?? []
  if (partition === undefined || region === undefined || account === undefined || resource === undefined)
    return undefined
  return { partition, region, account, resource }
}

/** Whether `text` is the id of a key (a UUID, or `mrk-` and 32 hexadecimal characters), as it stands at the end of its ARN. */
export function isKeyId(text: string): boolean {
  return KEY_ID.test(text)
}

/** Whether `text` is the full ARN of a key. */
export function isKeyArn(text: string): boolean {
  return parseKeyArn(text)?.resource.startsWith('key/') === true
}

/** Whether two key ARNs are one key: equal, or replicas of one multi-Region key in different regions. */
export function isSameKey(a: string, b: string): boolean {
  if (a === b) return true
  const [left, right] = [parseKeyArn(a), parseKeyArn(b)]
  return (
    left !== undefined &&
    right !== undefined &&
    left.resource.startsWith('key/mrk-') &&
    left.resource === right.resource &&
    left.account === right.account &&
    left.partition === right.partition
  )
}

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const KEY_ID = new RegExp(`^(?:${UUID}|mrk-[0-9a-f]{32})$`)
const ARN = new RegExp(
  `^arn:(aws[a-z-]{0,20}):kms:([a-z]{2}[a-z0-9-]{1,30}):([0-9]{12}):(key/(?:${UUID}|mrk-[0-9a-f]{32})|alias/[A-Za-z0-9/_-]{1,250})$`,
)
