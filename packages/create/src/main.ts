#!/usr/bin/env node
import { runCreate } from './create.ts';
import { processTerminal } from './terminal.ts';

process.exitCode = await runCreate(process.argv.slice(2), processTerminal());
