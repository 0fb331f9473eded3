import { ARGUMENTS, HOT_ARGUMENTS, REPEATED_ARGUMENTS } from './format.ts';

/** What a script is given: a text or a number. */
export type Argument = string | number;
/** A missing argument of which the script knows what that means. */
type OptionalArgument = Argument | undefined;

type Named<Names extends readonly string[]> = { readonly [Name in Names[number]]: OptionalArgument };

export type TransitionName = keyof typeof ARGUMENTS;
export type HotName = keyof typeof HOT_ARGUMENTS;

/** The arguments of a transition in the order in which its Lua file reads them; '' for undefined. */
export function pack<Name extends TransitionName>(name: Name, values: Named<(typeof ARGUMENTS)[Name]>): Argument[] {
  return inOrder(ARGUMENTS[name], values);
}

/** One entry of what is repeated behind a transition's arguments. */
export function packRepeated<Name extends keyof typeof REPEATED_ARGUMENTS>(
  name: Name,
  values: Named<(typeof REPEATED_ARGUMENTS)[Name]>,
): Argument[] {
  return inOrder(REPEATED_ARGUMENTS[name], values);
}

/** Arguments of a claim or commit that those of a group may share. */
export function packShared<Name extends HotName>(
  name: Name,
  values: Named<(typeof HOT_ARGUMENTS)[Name]['shared']>,
): Argument[] {
  return inOrder(HOT_ARGUMENTS[name].shared, values);
}

/** Arguments that each claim or commit has for itself. */
export function packOwn<Name extends HotName>(
  name: Name,
  values: Named<(typeof HOT_ARGUMENTS)[Name]['own']>,
): Argument[] {
  return inOrder(HOT_ARGUMENTS[name].own, values);
}

function inOrder(names: readonly string[], values: Readonly<Record<string, OptionalArgument>>): Argument[] {
  return names.map((name) => values[name] ?? '');
}
