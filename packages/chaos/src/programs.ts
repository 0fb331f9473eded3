import { ownModule } from '@flotilla/local-fleet';

/** The modules behind `flotilla chaos`, each for a Node process of its own; their headers say what arguments they take. */
export const chaosProgram = ownModule('./chaos', import.meta.url);
export const soakProgram = ownModule('./soak/soak', import.meta.url);
