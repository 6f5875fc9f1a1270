import { describe } from 'vitest'
import { postgresApp } from './app-database.ts'
import { testMigrations } from './suite.ts'

describe('in PostgreSQL', () => testMigrations(postgresApp))
