// Programs that wait for somebody's consent to act for them.

import { Resource } from "./resource.ts";
import type { Reply } from "./wire.ts";

/** A program that waits; what it calls itself may be made up. */
export type WaitingProgram = Reply<"/api/device/lookup", "post">;

export class DeviceLoginCalls extends Resource {
  find(code: string): Promise<WaitingProgram> {
    return this.client.call("POST", "/api/device/lookup", { user_code: code });
  }

  approve(code: string, days: number): Promise<void> {
    return this.client.call("POST", "/api/device/decision", { user_code: code, approve: true, days });
  }

  refuse(code: string): Promise<void> {
    return this.client.call("POST", "/api/device/decision", { user_code: code, approve: false });
  }
}
