// The HTTP API, resource by resource.

import { Client, type ClientOptions } from "./client.ts";
import { ComplianceCalls } from "./compliance.ts";
import { ConversationCalls } from "./conversations.ts";
import { EgressCalls } from "./egress.ts";
import { EngineCalls } from "./engines.ts";
import { FeedCalls } from "./feeds.ts";
import { FileCalls } from "./files.ts";
import { ProjectCalls } from "./projects.ts";
import { ImageCalls } from "./images.ts";
import { ImportCalls } from "./imports.ts";
import { LibraryCalls } from "./libraries.ts";
import { ModelCalls } from "./models.ts";
import { PreferenceCalls } from "./preferences.ts";
import { PythonCalls } from "./python.ts";
import { Speech } from "./speech.ts";
import { ReceiptCalls } from "./receipts.ts";
import { ShareCalls } from "./shares.ts";
import { SystemCalls } from "./system.ts";
import { WebCalls } from "./web.ts";

export class Api {
  readonly client: Client;
  readonly compliance: ComplianceCalls;
  readonly conversations: ConversationCalls;
  readonly egress: EgressCalls;
  readonly engines: EngineCalls;
  readonly feeds: FeedCalls;
  readonly files: FileCalls;
  readonly projects: ProjectCalls;
  readonly images: ImageCalls;
  readonly imports: ImportCalls;
  readonly libraries: LibraryCalls;
  readonly models: ModelCalls;
  readonly preferences: PreferenceCalls;
  readonly python: PythonCalls;
  readonly speech: Speech;
  readonly receipts: ReceiptCalls;
  readonly shares: ShareCalls;
  readonly system: SystemCalls;
  readonly web: WebCalls;

  constructor(options: ClientOptions) {
    const client = new Client(options);
    this.client = client;
    this.compliance = new ComplianceCalls(client);
    this.conversations = new ConversationCalls(client);
    this.egress = new EgressCalls(client);
    this.engines = new EngineCalls(client);
    this.feeds = new FeedCalls(client);
    this.files = new FileCalls(client);
    this.projects = new ProjectCalls(client);
    this.images = new ImageCalls(client);
    this.imports = new ImportCalls(client);
    this.libraries = new LibraryCalls(client);
    this.models = new ModelCalls(client);
    this.preferences = new PreferenceCalls(client);
    this.python = new PythonCalls(client);
    this.speech = new Speech(client);
    this.receipts = new ReceiptCalls(client);
    this.shares = new ShareCalls(client);
    this.system = new SystemCalls(client);
    this.web = new WebCalls(client);
  }
}
