// The dialogs' script, which comes after the first sight. It can be missing: without a connection, or when the server
// has been updated since the page was loaded and no longer knows the old name.

export type Dialogs = typeof import("./dialogs");

class Later {
  dialogs = $state.raw<Dialogs | undefined>(undefined);
  failed = $state(false);

  #loading = false;

  // load may be called at any time, and again after it has failed.
  async load(): Promise<void> {
    if (this.dialogs !== undefined || this.#loading) return;
    this.#loading = true;
    this.failed = false;
    try {
      this.dialogs = await import("./dialogs");
    } catch {
      this.failed = true;
    } finally {
      this.#loading = false;
    }
  }

  // whenIdle fetches it while nobody waits, so that it is there when it is asked for, connection or not.
  whenIdle(): void {
    const idle: (act: () => void) => void = typeof requestIdleCallback === "function" ? requestIdleCallback : (act) => setTimeout(act, 2000);
    idle(() => void this.load());
  }
}

export const later = new Later();
