// Schedules: questions that are asked by themselves, and what became of each time.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

export type ScheduleList = Reply<"/api/schedules", "get">;
export type Schedule = ScheduleList["schedules"][number];
export type Occurrence = NonNullable<Schedule["last"]>;
export type NewSchedule = Body<"/api/schedules", "post">;
export type ScheduleChanges = Body<"/api/schedules/{id}", "patch">;

export class ScheduleCalls extends Resource {
  list(): Promise<ScheduleList> {
    return this.client.call("GET", "/api/schedules");
  }

  add(schedule: NewSchedule): Promise<Schedule> {
    return this.client.call("POST", "/api/schedules", schedule);
  }

  change(id: string, changes: ScheduleChanges): Promise<Schedule> {
    return this.client.call("PATCH", `/api/schedules/${id}`, changes);
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/schedules/${id}`);
  }

  run(id: string): Promise<Occurrence> {
    return this.client.call("POST", `/api/schedules/${id}/run`);
  }

  /** The next times of a cron line, in milliseconds since 1970, or what is wrong with it. */
  dueTimes(cron: string, zone: string): Promise<Reply<"/api/schedules/due-times", "get">> {
    const query = new URLSearchParams({ cron, zone }).toString();
    return this.client.call("GET", `/api/schedules/due-times?${query}`);
  }
}
