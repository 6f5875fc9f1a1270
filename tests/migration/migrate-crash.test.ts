import { describe } from 'vitest'
import { postgresApp } from './app-database.ts'
import { testCrashes } from './crash-suite.ts'

describe('in PostgreSQL', () => testCrashes(postgresApp, 60))
