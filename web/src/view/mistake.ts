import { tick } from "svelte";

// toMistake puts the keyboard where a mistake can be put right: into the field that is wrong, or before the words that say
// what it is. A button that was pressed and is switched off meanwhile has lost it.
export async function toMistake(form: HTMLElement | undefined): Promise<void> {
  await tick();
  const words = form?.querySelector<HTMLElement>(".problem");
  const field = form?.querySelector<HTMLInputElement>('[aria-invalid="true"]');
  (field ?? words)?.focus();
  field?.select();
  words?.scrollIntoView({ block: "nearest" });
}
