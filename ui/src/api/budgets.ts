// Budgets: those that apply to whoever asks, and all of them for administrators.

import { Resource } from "./resource.ts";
import type { Body, Reply } from "./wire.ts";

export type OwnBudget = Reply<"/api/budgets/mine", "get">["budgets"][number];
export type SummedBudget = Reply<"/api/budgets", "get">["budgets"][number];
export type Budget = SummedBudget["budget"];
export type BudgetRequest = Body<"/api/budgets", "put">;

export class BudgetCalls extends Resource {
  async listOwn(): Promise<readonly OwnBudget[]> {
    return (await this.client.call<Reply<"/api/budgets/mine", "get">>("GET", "/api/budgets/mine")).budgets;
  }

  async list(): Promise<readonly SummedBudget[]> {
    return (await this.client.call<Reply<"/api/budgets", "get">>("GET", "/api/budgets")).budgets;
  }

  set(budget: BudgetRequest): Promise<Budget> {
    return this.client.call("PUT", "/api/budgets", budget);
  }

  remove(id: string): Promise<void> {
    return this.client.call("DELETE", `/api/budgets/${encodeURIComponent(id)}`);
  }
}
