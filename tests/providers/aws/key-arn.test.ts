import { describe, expect, it } from 'vitest'
import { isKeyArn, isKeyId, isSameKey, parseKeyArn } from '../../../providers/aws/key-arn.ts'

const uuid = '1234abcd-12ab-34cd-56ef-1234567890ab'
const mrk = `mrk-${'0123456789abcdef'.repeat(2)}`

describe('key ARNs', () => {
  it.each([
    [`arn:aws:kms:eu-central-1:111122223333:key/${uuid}`, true],
    [`arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/${mrk}`, true],
    [`arn:aws-cn:kms:cn-north-1:111122223333:key/${uuid}`, true],
    [`arn:aws:kms:eu-central-1:111122223333:alias/app/x`, false],
    [`arn:aws:kms:eu-central-1:111122223333:key/${uuid} `, false],
    [`arn:aws:kms:eu-central-1:111122223333:key/${uuid}\n`, false],
    [`arn:aws:kms:eu-central-1:1111:key/${uuid}`, false],
    [`arn:aws:kms::111122223333:key/${uuid}`, false],
    [`arn:aws:kms:eu-central-1.evil.example:111122223333:key/${uuid}`, false],
    [`ARN:aws:kms:eu-central-1:111122223333:key/${uuid}`, false],
    [uuid, false],
    ['', false],
  ])('%s: %s', (text, valid) => {
    expect(isKeyArn(text)).toBe(valid)
  })

  it('aliases are parsed, and are no key', () => {
    expect(parseKeyArn('arn:aws:kms:eu-central-1:111122223333:alias/app')?.resource).toBe('alias/app')
    expect([uuid, mrk].every(isKeyId)).toBe(true)
    expect(['alias/app', `${uuid}x`, 'mrk-1'].some(isKeyId)).toBe(false)
  })

  it('only replicas of one multi-Region key, in one account and partition, are one key', () => {
    const arn = (region: string, account: string, id: string) => `arn:aws:kms:${region}:${account}:key/${id}`
    const own = arn('eu-central-1', '111122223333', mrk)
    expect(isSameKey(own, arn('us-east-1', '111122223333', mrk))).toBe(true)
    expect(isSameKey(own, arn('us-east-1', '999999999999', mrk))).toBe(false)
    expect(isSameKey(own, own.replace('arn:aws:', 'arn:aws-cn:'))).toBe(false)
    expect(isSameKey(arn('eu-central-1', '111122223333', uuid), arn('us-east-1', '111122223333', uuid))).toBe(false)
  })
})
