import { tick } from "svelte";

// toMistake puts the keyboard where a mistake can be put right: into the field that is wrong, or before the words that say
// what it is. A button that was pressed and is switched off meanwhile has lost it.
export async function toMistake(form: HTMLElement | undefined): Promise<void> {
  await tick();
  const wrong = form?.querySelector<HTMLElement>('[aria-invalid="true"]') ?? form?.querySelector<HTMLElement>(".problem");
  wrong?.focus();
  if (wrong instanceof HTMLInputElement) wrong.select();
}
