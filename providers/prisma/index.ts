/** Encrypted columns in Prisma 6.16 or newer, and 7. Import from `strongroom/prisma`. */

export { type RoomWithRecords, type StrongroomPrismaOptions, strongroomPrisma } from './extension.ts'
export type {
  ExtensibleClient,
  ModelMethods,
  PrismaModels,
  StrongroomPrisma,
  UpdateEachOptions,
} from './extension-types.ts'
export { type PrismaRelation, type PrismaRelations, prismaRelations } from './relations.ts'
export { type PrismaRow, prismaRow } from './row.ts'
export { type PrismaTable, type PrismaTables, prismaTables } from './tables.ts'
