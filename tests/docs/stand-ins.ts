/** What a reader of docs/providers/prisma.md has that is not installed here: the client that Prisma makes of the page's schema. */
const PRISMA_CLIENT = `

interface Post { id: number; text: string; authorId: string }
interface User { id: string; orgId: string; email: string; email_index: string; birthDate: string; notes: string; role: string }
interface Extension { $extends: { extArgs: { result: object } } }
type Computed<Fields> = { [Name in keyof Fields]: Fields[Name] extends () => { compute: () => infer Value } ? Value : never }
type Results<Ext extends Extension> = Ext['$extends']['extArgs']['result'] extends { user: infer Fields } ? Computed<Fields> : object
type Shown<Ext extends Extension> = Omit<User, keyof Results<Ext>> & Results<Ext>
export interface Extended<Ext extends Extension> {
  user: {
    create(args: { data: User }): Promise<Shown<Ext>>
    findFirst(args: { where?: Partial<User>; include: { posts: true } }): Promise<(Shown<Ext> & { posts: Post[] }) | null>
  }
  $queryRaw<Rows>(text: TemplateStringsArray, ...values: unknown[]): Promise<Rows>
  $executeRaw(text: TemplateStringsArray, ...values: unknown[]): Promise<number>
}
export declare class PrismaClient {
  constructor(options: { adapter: object })
  $extends<Ext extends Extension>(extension: (client: PrismaClient) => Ext): Extended<Ext>
}
`

const ADAPTER = `
declare module '@prisma/adapter-pg' {
  export class PrismaPg {
    constructor(options: { connectionString: string | undefined })
  }
}
`

/** Texts of files that stand for what readers have made or installed, by their paths from the root of the project; each is of types alone. */
export const STAND_INS: ReadonlyMap<string, string> = new Map([
  ['docs/generated/client.ts', PRISMA_CLIENT],
  ['docs/adapter-pg.d.ts', ADAPTER],
])
