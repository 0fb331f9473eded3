export function greetingFor(name: string): string {
  return `Hello, ${name}!`;
}
