//! Annotated sources: what frameworks make of them, as text.

use std::fmt::Write;

use crate::source::File;
use crate::syntax::{DefinitionKind, FileFacts, ReferenceKind, Shape, analyse};

fn facts(source: &str) -> FileFacts {
    analyse(&File::new("lib/a.ex", source))
}

fn compare(source: &str, seen: &str, expected: &str) {
    let lines =
        |text: &str| text.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty()).collect::<Vec<_>>();
    assert_eq!(lines(seen), lines(expected), "of\n{source}");
}

/// One line for each definition that is no module or function: kind, name, lines, fields.
fn definitions(source: &str, expected: &str) {
    use DefinitionKind::{Attribute, Function, Macro, Module, Struct, Type};
    let mut seen = String::new();
    let ours = facts(source).definitions;
    for d in ours.iter().filter(|d| !matches!(d.kind, Module | Function | Macro | Struct | Type | Attribute))
    {
        let span = (d.span.line_start, d.span.line_end);
        write!(seen, "{} {} {}-{}", d.kind.as_str(), d.qualified(), span.0, span.1).unwrap();
        if !d.fields.is_empty() {
            write!(seen, " [{}]", d.fields.join(" ")).unwrap();
        }
        seen.push('\n');
    }
    compare(source, &seen, expected);
}

/// One line for each reference but calls that are written out, directives, and modules as values: where from, kind, where
/// to, why it is believed.
fn ties(source: &str, expected: &str) {
    use ReferenceKind::{Alias, Call, Import, Module, Require, Use};
    let facts = facts(source);
    let mut seen = String::new();
    for r in &facts.references {
        let plain = matches!(r.kind, Alias | Import | Module | Require | Use);
        if plain || r.kind == Call && r.basis.is_certain() {
            continue;
        }
        writeln!(seen, "{}", tie(&facts, r)).unwrap();
    }
    compare(source, &seen, expected);
}

fn tie(facts: &FileFacts, r: &crate::syntax::Reference) -> String {
    let from = r.from.map_or_else(|| "file".into(), |from| facts.definitions[from as usize].qualified());
    let mut to = r.module.as_deref().unwrap_or("").to_owned();
    if !r.name.is_empty() {
        let arity = r.arity.map_or_else(String::new, |arity| format!("/{arity}"));
        write!(to, "{}{}{arity}", if to.is_empty() { "" } else { "." }, r.name).unwrap();
    }
    format!("{from} -> {} {to} ({})", format!("{:?}", r.kind).to_lowercase(), r.basis.as_str())
}

/// The plain local calls, by name and arity.
fn local_calls(source: &str) -> Vec<String> {
    let local = facts(source).references.into_iter();
    local
        .filter(|r| r.kind == ReferenceKind::Call && r.module.is_none() && r.basis.is_certain())
        .map(|r| format!("{}/{}", r.name, r.arity.unwrap()))
        .collect()
}

const PHOENIX: &str = r#"
defmodule ShopWeb.Router do
  use ShopWeb, :router
  alias Shop.Admin.Stats

  pipeline :browser do
    plug :accepts, ["html"]
    plug ShopWeb.Locale, "en" when x == 1
  end

  scope "/", ShopWeb do
    pipe_through [:browser, :auth]
    get "/", PageController, :home
    live "/cart/:id", CartLive, :show, container: {:div, []}
    live "/faq", FaqLive

    live_session :admin, on_mount: [{ShopWeb.Auth, :admin}, ShopWeb.Nav], session: {ShopWeb.Auth, :session, [1]} do
      scope "/admin/", Admin, as: :admin do
        pipe_through :admin
        resources "/users", UserController, only: [:index, :update], param: "slug" do
          get "/posts", PostController, :index
        end
        resources "/profile", ProfileController, singleton: true, except: ~w(new edit create delete)a
      end
    end

    scope path: "/api", alias: false do
      post "/stats", Stats, period: Shop.Day
      forward "/jobs", Jobs.Plug, limit: 1
    end
    match :*, "/any", Any.Controller, :any, alias: false
    live_dashboard "/dashboard", metrics: ShopWeb.Telemetry
  end
end
"#;

#[test]
fn phoenix_routes_are_named_by_verb_and_whole_path() {
    definitions(
        PHOENIX,
        "pipeline ShopWeb.Router.browser 6-9
         route ShopWeb.Router.GET / 13-13 [browser auth]
         route ShopWeb.Router.GET /cart/:id 14-14 [browser auth :show]
         route ShopWeb.Router.GET /faq 15-15 [browser auth]
         route ShopWeb.Router.GET /admin/users 20-22 [browser auth admin]
         route ShopWeb.Router.PATCH /admin/users/:slug 20-22 [browser auth admin]
         route ShopWeb.Router.PUT /admin/users/:slug 20-22 [browser auth admin]
         route ShopWeb.Router.GET /admin/users/:user_slug/posts 21-21 [browser auth admin]
         route ShopWeb.Router.GET /admin/profile 23-23 [browser auth admin]
         route ShopWeb.Router.PATCH /admin/profile 23-23 [browser auth admin]
         route ShopWeb.Router.PUT /admin/profile 23-23 [browser auth admin]
         route ShopWeb.Router.POST /api/stats 28-28 [browser auth]
         route ShopWeb.Router.* /api/jobs 29-29 [browser auth]
         route ShopWeb.Router.* /any 31-31 [browser auth]",
    );
}

#[test]
fn phoenix_routes_go_to_actions_within_the_aliases_of_their_scopes() {
    ties(
        PHOENIX,
        "ShopWeb.Router -> call ShopWeb.router/0 (convention)
         ShopWeb.Router.browser -> call accepts/2 (convention)
         ShopWeb.Router.browser -> call ShopWeb.Locale.init/1 (convention)
         ShopWeb.Router.browser -> call ShopWeb.Locale.call/2 (convention)
         ShopWeb.Router.browser -> plug ShopWeb.Locale (written)
         ShopWeb.Router -> plug browser/2 (convention)
         ShopWeb.Router -> plug auth/2 (convention)
         ShopWeb.Router.GET / -> route ShopWeb.PageController.home/2 (convention)
         ShopWeb.Router.GET /cart/:id -> route ShopWeb.CartLive.mount/3 (convention)
         ShopWeb.Router.GET /cart/:id -> route ShopWeb.CartLive.handle_params/3 (convention)
         ShopWeb.Router.GET /cart/:id -> route ShopWeb.CartLive.render/1 (convention)
         ShopWeb.Router.GET /cart/:id -> route ShopWeb.CartLive (convention)
         ShopWeb.Router.GET /faq -> route ShopWeb.FaqLive.mount/3 (convention)
         ShopWeb.Router.GET /faq -> route ShopWeb.FaqLive.handle_params/3 (convention)
         ShopWeb.Router.GET /faq -> route ShopWeb.FaqLive.render/1 (convention)
         ShopWeb.Router.GET /faq -> route ShopWeb.FaqLive (convention)
         ShopWeb.Router -> call ShopWeb.Auth.on_mount/4 (convention)
         ShopWeb.Router -> call ShopWeb.Nav.on_mount/4 (convention)
         ShopWeb.Router -> call ShopWeb.Auth.session/2 (by_name)
         ShopWeb.Router -> plug admin/2 (convention)
         ShopWeb.Router.GET /admin/users -> route ShopWeb.Admin.UserController.index/2 (convention)
         ShopWeb.Router.PATCH /admin/users/:slug -> route ShopWeb.Admin.UserController.update/2 (convention)
         ShopWeb.Router.PUT /admin/users/:slug -> route ShopWeb.Admin.UserController.update/2 (convention)
         ShopWeb.Router.GET /admin/users/:user_slug/posts -> route ShopWeb.Admin.PostController.index/2 (convention)
         ShopWeb.Router.GET /admin/profile -> route ShopWeb.Admin.ProfileController.show/2 (convention)
         ShopWeb.Router.PATCH /admin/profile -> route ShopWeb.Admin.ProfileController.update/2 (convention)
         ShopWeb.Router.PUT /admin/profile -> route ShopWeb.Admin.ProfileController.update/2 (convention)
         ShopWeb.Router.POST /api/stats -> route Shop.Admin.Stats.call/2 (convention)
         ShopWeb.Router.* /api/jobs -> route Jobs.Plug.call/2 (convention)
         ShopWeb.Router.* /any -> route Any.Controller.any/2 (convention)",
    );
}

#[test]
fn words_of_routers_mean_nothing_elsewhere() {
    let source =
        "defmodule A do\n  get \"/\", B, :c\n  plug :x\n  scope \"/\", D do\n  end\n  config :a, b: 1\nend";
    definitions(source, "");
    ties(source, "");
}

#[test]
fn routes_of_plug_have_bodies() {
    let source = r#"
defmodule Shop.Api do
  use Plug.Router
  plug :match
  plug Plug.Parsers, parsers: [:json]
  plug :log when conn.host == "x"
  plug :dispatch

  get "/items/:id" do
    send_resp(conn, 200, Shop.item(id))
  end

  post "/orders", do: create(conn, opts)
  get "/files/*rest" when rest != [], to: Shop.Files
  match "/both", via: [:get, :post] do
    conn
  end
  forward "/admin", to: Shop.Admin.Router, init_opts: Shop.Opts.all()

  match _ do
    conn
  end

  defp log(conn, _), do: conn
end
"#;
    definitions(
        source,
        "route Shop.Api.GET /items/:id 9-11
         route Shop.Api.POST /orders 13-13
         route Shop.Api.GET /files/*rest 14-14
         route Shop.Api.GET|POST /both 15-17
         route Shop.Api.* /admin 18-18
         route Shop.Api.* /* 20-22",
    );
    ties(
        source,
        "Shop.Api -> call Plug.Parsers.init/1 (convention)
         Shop.Api -> call Plug.Parsers.call/2 (convention)
         Shop.Api -> plug Plug.Parsers (written)
         Shop.Api -> call log/2 (convention)
         Shop.Api.GET /files/*rest -> route Shop.Files.call/2 (convention)
         Shop.Api.* /admin -> route Shop.Admin.Router.call/2 (convention)",
    );
    let facts = facts(source);
    let item = facts.references.iter().find(|r| &*r.name == "item").unwrap();
    assert_eq!(facts.definitions[item.from.unwrap() as usize].qualified(), "Shop.Api.GET /items/:id");
    let bound = local_calls(source);
    assert!(
        !bound.iter().any(|call| matches!(&**call, "conn/0" | "id/0" | "rest/0" | "opts/0")),
        "{bound:?}"
    );
}

#[test]
fn endpoints_sockets_and_teslas_middleware() {
    ties(
        r#"
defmodule ShopWeb.Endpoint do
  use Phoenix.Endpoint, otp_app: :shop
  socket "/live", Phoenix.LiveView.Socket, websocket: true
  plug ShopWeb.Router
end

defmodule ShopWeb.Socket do
  use Phoenix.Socket
  channel "room:*", ShopWeb.RoomChannel
end

defmodule ShopWeb.PageLive do
  use ShopWeb, :live_view
  on_mount {ShopWeb.Auth, :user}
end

defmodule Shop.Client do
  use Tesla
  plug Tesla.Middleware.JSON
end
"#,
        "ShopWeb.Endpoint.SOCKET /live -> route Phoenix.LiveView.Socket (convention)
         ShopWeb.Endpoint -> call ShopWeb.Router.init/1 (convention)
         ShopWeb.Endpoint -> call ShopWeb.Router.call/2 (convention)
         ShopWeb.Endpoint -> plug ShopWeb.Router (written)
         ShopWeb.Socket.CHANNEL room:* -> route ShopWeb.RoomChannel (convention)
         ShopWeb.PageLive -> call ShopWeb.live_view/0 (convention)
         ShopWeb.PageLive -> call ShopWeb.Auth.on_mount/4 (convention)
         Shop.Client -> call Tesla.Middleware.JSON.call/3 (convention)
         Shop.Client -> plug Tesla.Middleware.JSON (written)",
    );
}

#[test]
fn schemas_have_fields_and_associations() {
    let source = r#"
defmodule Shop.User do
  use Ecto.Schema
  alias Shop.Address

  schema "users" do
    field :name, :string
    field :role, Ecto.Enum, values: [:a]
    belongs_to :team, Shop.Team
    has_many :orders, {"old_orders", Shop.Order}
    has_many :items, through: [:orders, :items]
    many_to_many :tags, Shop.Tag, join_through: Shop.UserTag
    embeds_one :address, Address
    embeds_many :phones, Phone, on_replace: :delete do
      embeds_one :prefix, Prefix do
        field :number
      end
    end
    timestamps()
  end
end

defmodule Shop.Address do
  embedded_schema do
    field :street
  end
end
"#;
    definitions(
        source,
        "schema Shop.User.users 6-20 [name role team orders items tags address phones]
         schema Shop.User.Phone.Phone 14-18 [prefix]
         schema Shop.User.Phone.Prefix.Prefix 15-17 [number]
         schema Shop.Address.Address 24-26 [street]",
    );
    ties(
        source,
        "Shop.User.users -> schema Shop.Team (written)
         Shop.User.users -> schema Shop.Order (written)
         Shop.User.users -> schema Shop.Tag (written)
         Shop.User.users -> schema Shop.UserTag (written)
         Shop.User.users -> schema Shop.Address (written)
         Shop.User.users -> schema Shop.User.Phone (written)
         Shop.User.Phone.Phone -> schema Shop.User.Phone.Prefix (written)",
    );
}

#[test]
fn queries_ask_for_schemas_and_bind_variables() {
    let source = r#"
defmodule Shop.Users do
  import Ecto.Query
  alias Shop.{Post, Repo, User}

  def a(id) do
    from u in User, join: p in Post, on: p.user_id == u.id, left_join: c in assoc(p, :c), where: u.id == ^id and c.x
  end

  def b, do: Repo.all(from(u in {"old", User}, select: u))
  def c, do: from(User, order_by: :id)
  def d, do: User |> where([u], u.x) |> join(:inner, [u, ..., p], q in Post, on: q.id == p.id) |> select([user: u], u)
  def e, do: {Repo.get!(User, 1), Repo.exists?("users"), User |> Repo.all(), @repo.one(User)}
  def f(x), do: {Repo.insert(x), Repo.all(x), where(User, [u], u.y), Ecto.Query.from(u in User, select: u.z)}
  def g(x), do: from(x, "y")
end
"#;
    ties(
        source,
        "Shop.Users.a/1 -> schema Shop.User (convention)
         Shop.Users.a/1 -> schema Shop.Post (convention)
         Shop.Users.b/0 -> schema Shop.User (convention)
         Shop.Users.c/0 -> schema Shop.User (convention)
         Shop.Users.d/0 -> schema Shop.User (convention)
         Shop.Users.d/0 -> schema Shop.Post (convention)
         Shop.Users.e/0 -> schema Shop.User (convention)
         Shop.Users.e/0 -> schema users (convention)
         Shop.Users.e/0 -> schema Shop.User (convention)
         Shop.Users.f/1 -> schema Shop.User (convention)
         Shop.Users.f/1 -> schema Shop.User (convention)",
    );
    let calls = local_calls(source);
    assert_eq!(
        calls,
        ["from/2", "assoc/2", "from/2", "from/2", "where/3", "join/5", "select/3", "where/3", "from/2"]
    );
}

#[test]
fn migrations_name_tables() {
    ties(
        r#"
defmodule Shop.Repo.Migrations.Users do
  use Ecto.Migration
  def change do
    create table(:users) do
      add :team_id, references("teams")
    end
    create unique_index(:users, [:name])
  end
end
"#,
        "Shop.Repo.Migrations.Users.change/0 -> schema users (convention)
         Shop.Repo.Migrations.Users.change/0 -> schema teams (convention)
         Shop.Repo.Migrations.Users.change/0 -> schema users (convention)",
    );
}

#[test]
fn supervisors_have_children() {
    ties(
        r#"
defmodule Shop.Application do
  use Application
  def start(_, args) do
    children = [
      Shop.Repo,
      {Registry, keys: :unique},
      %{id: :x, start: {Shop.Worker, :begin, [1, args]}},
      Supervisor.child_spec({Shop.Cache, []}, id: :y),
      worker(Shop.Old, [1, 2])
    ] ++ more(Shop.No)
    Supervisor.start_link(children, strategy: :one_for_one)
  end

  def init(_), do: Supervisor.init([Shop.One | rest()], strategy: :one_for_one)
  def more(x), do: DynamicSupervisor.start_child(Shop.Sup, {Shop.Job, x})
  def start_link(x), do: GenServer.start_link(__MODULE__, x, name: Shop.Name)
  defp children(:test), do: [Shop.Fake]
  def itself, do: exit({:noproc, {__MODULE__, :itself, []}})
  def pattern({Shop.Worker, :begin, [1]}), do: [Shop.Plain, {Shop.Worker, :stop, [a: 1, b: 2]}]
end
"#,
        "Shop.Application.start/2 -> call Shop.Repo.child_spec/1 (by_name)
         Shop.Application.start/2 -> supervise Shop.Repo (convention)
         Shop.Application.start/2 -> call Registry.child_spec/1 (by_name)
         Shop.Application.start/2 -> supervise Registry (convention)
         Shop.Application.start/2 -> supervise Shop.Worker (convention)
         Shop.Application.start/2 -> call Shop.Worker.begin/2 (by_name)
         Shop.Application.start/2 -> call Shop.Cache.child_spec/1 (by_name)
         Shop.Application.start/2 -> supervise Shop.Cache (convention)
         Shop.Application.start/2 -> call Shop.Old.start_link/2 (by_name)
         Shop.Application.start/2 -> supervise Shop.Old (convention)
         Shop.Application.init/1 -> call Shop.One.child_spec/1 (by_name)
         Shop.Application.init/1 -> supervise Shop.One (convention)
         Shop.Application.more/1 -> call Shop.Job.child_spec/1 (by_name)
         Shop.Application.more/1 -> supervise Shop.Job (convention)
         Shop.Application.start_link/1 -> call Shop.Application.init/1 (convention)
         Shop.Application.children/1 -> call Shop.Fake.child_spec/1 (by_name)
         Shop.Application.children/1 -> supervise Shop.Fake (convention)
         Shop.Application.pattern/1 -> call Shop.Worker.stop/2 (by_name)",
    );
}

#[test]
fn a_project_defines_an_application() {
    let source = r#"
defmodule Shop.MixProject do
  use Mix.Project
  def project, do: [app: :shop, version: "1.0"]
  def application do
    [mod: {Shop.Application, []}, extra_applications: [:logger]]
  end
end
"#;
    definitions(source, "app Shop.MixProject.shop 4-4");
    ties(
        source,
        "Shop.MixProject.shop -> call Shop.Application.start/2 (convention)
         Shop.MixProject.shop -> supervise Shop.Application (convention)",
    );
}

#[test]
fn functions_are_passed_by_name() {
    ties(
        r#"
defmodule A do
  def f(args, node) do
    apply(B, :c, args)
    VisitTask.async(B, :d, args)
    :rpc.call(node, B, :e, args)
    spawn(__MODULE__, :f, [1, 2])
    Agent.update(node, B, :g, [1])
    VisitTask.async_stream(args, B, :h, [1])
    other(B, :i, args)
    apply(B, args)
  end
end
"#,
        "A.f/2 -> call B.c (by_name)
         A.f/2 -> call B.d (by_name)
         A.f/2 -> call B.e (by_name)
         A.f/2 -> call A.f/2 (by_name)
         A.f/2 -> call B.g/2 (by_name)
         A.f/2 -> call B.h/2 (by_name)",
    );
}

#[test]
fn messages_have_shapes_and_so_have_their_receivers() {
    let source = r#"
defmodule Stack do
  use GenServer
  def push(pid, x), do: GenServer.cast(pid, {:push, x})
  def pop, do: GenServer.call(__MODULE__, :pop, 5000)
  def all(nodes), do: GenServer.multi_call(nodes, Stack, :pop, 1)
  def via(x), do: GenServer.call({:via, Registry, {R, x}}, %Pop{n: 1})
  def init(_) do
    Process.send_after(self(), :tick, 1000)
    send(self(), {:tock, 1})
    send(x, :nobody)
    {:ok, [], {:continue, :load}}
  end
  def handle_continue(:load, s), do: {:noreply, s}
  def handle_call(:pop, _from, [h | t]), do: {:reply, h, t}
  def handle_call(%Pop{} = p, _, s), do: {:reply, p, s}
  def handle_cast({:push, x}, s) when x > 0, do: {:noreply, [x | s], {:continue, {:stored, x}}}
  def handle_info(message, s), do: s
  def handle_event("save", _, socket), do: socket
  def handle_event(:cast, {:go, _}, _, _), do: :ok
end
"#;
    let facts = facts(source);
    let mut seen = String::new();
    for Shape { of, shape, .. } in &facts.messages {
        writeln!(seen, "{} {shape}", tie(&facts, &facts.references[*of as usize])).unwrap();
    }
    for Shape { of, clause, shape } in &facts.receivers {
        writeln!(seen, "{} {clause} {shape}", facts.definitions[*of as usize].qualified()).unwrap();
    }
    compare(
        source,
        &seen,
        r#"
         Stack.push/2 -> message handle_cast/2 (message) {:push, 2}
         Stack.pop/0 -> message Stack.handle_call/3 (message) :pop
         Stack.all/1 -> message Stack.handle_call/3 (message) :pop
         Stack.via/1 -> message handle_call/3 (message) %Pop{}
         Stack.init/1 -> message Stack.handle_info/2 (message) :tick
         Stack.init/1 -> message Stack.handle_info/2 (message) {:tock, 2}
         Stack.init/1 -> message Stack.handle_continue/2 (message) :load
         Stack.handle_cast/2 -> message Stack.handle_continue/2 (message) {:stored, 2}
         Stack.handle_continue/2 0 :load
         Stack.handle_call/3 0 :pop
         Stack.handle_call/3 1 %Pop{}
         Stack.handle_cast/2 0 {:push, 2}
         Stack.handle_info/2 0 _
         Stack.handle_event/3 0 "save"
         Stack.handle_event/4 0 {:go, 2}"#,
    );
}

#[test]
fn configuration_is_set_and_read() {
    let source = r#"
import Config
config :shop, ShopWeb.Endpoint, url: [host: "x"], adapter: Bandit.Adapter
config :shop, ecto_repos: [Shop.Repo], name: System.get_env("NAME")
config :shop, :mailer, Shop.Mailer
config app, x: 1
if config_env() == :prod do
  config :logger, level: :info
end
"#;
    definitions(
        source,
        "config :shop.ShopWeb.Endpoint 3-3 [url adapter]
         config :shop.ecto_repos 4-4
         config :shop.name 4-4
         config :shop.mailer 5-5
         config :logger.level 8-8",
    );
    let facts = facts(source);
    let from = |module: &str| {
        let mut found = facts.references.iter().filter(|r| r.module.as_deref() == Some(module));
        found.next().map(|r| facts.definitions[r.from.unwrap() as usize].qualified()).unwrap()
    };
    assert_eq!(from("Bandit.Adapter"), ":shop.ShopWeb.Endpoint");
    assert_eq!(from("Shop.Repo"), ":shop.ecto_repos");
    assert_eq!(from("System"), ":shop.name");
    assert_eq!(from("Shop.Mailer"), ":shop.mailer");
    ties(
        r#"
defmodule A do
  @app :shop
  @limit Application.compile_env(:shop, [:limits, :most], 1)
  def f(key) do
    Application.get_env(@app, __MODULE__, [])
    Application.fetch_env!(:shop, :name)
    Application.put_env(:shop, key, 1)
    :name |> Application.get_env(:x)
  end
end
"#,
        "A.limit -> config :shop.limits (written)
         A.f/1 -> config :shop.A (written)
         A.f/1 -> config :shop.name (written)",
    );
}

#[test]
fn sessions_in_documentation_are_doctests() {
    let source = r#"
defmodule Shop.Math do
  @moduledoc """
  Adds.

      iex> 1 + 1
      2
  """

  @doc """
  Adds one.

  ## Examples

      iex> Shop.Math.inc(1)
      2
      iex> x = 2
      ...> inc(x)
      3

      iex(1)> Shop.Math.inc(3)
      4
  """
  def inc(x, by \\ 1), do: x + by

  @doc "None here."
  def dec(x), do: x - 1

  @doc ~S"""
  ```
  iex> Shop.Math.neg(1)
  -1
  ```
  """
  @spec neg(integer) :: integer
  def neg(x), do: -x
end

defmodule Shop.MathTest do
  use ExUnit.Case
  doctest Shop.Math, import: true
end
"#;
    definitions(
        source,
        "doctest module Shop.Math (1) 6-7
         doctest Shop.Math.inc/2 (2) 15-19
         doctest Shop.Math.inc/2 (3) 21-22
         doctest Shop.Math.neg/1 (4) 31-32",
    );
    ties(
        source,
        "module Shop.Math (1) -> doctest Shop.Math (written)
         Shop.Math.inc/2 (2) -> doctest Shop.Math.inc/2 (written)
         Shop.Math.inc/2 (3) -> doctest Shop.Math.inc/2 (written)
         Shop.Math.neg/1 (4) -> doctest Shop.Math.neg/1 (written)
         Shop.MathTest -> doctest Shop.Math (written)",
    );
}

#[test]
fn specs_and_types_name_types() {
    ties(
        r#"
defmodule A do
  alias Shop.Item
  @type t(x) :: %__MODULE__{item: Item.t(x), list: [own | nil], raw: binary()}
  @typep own :: {:ok, String.t} | (Item.id(), integer -> own())
  @callback run(item :: Item.t(), keyword) :: own when x: var
  @spec f(x, t(x), %{required(:a) => Item.kind()}) :: x | Item when x: Item.y()
  @derive {Jason.Encoder, only: [:a]}
  @derive [Inspect]
  defstruct [:a]
  def f(x, _, _), do: x
  @spec unknown(own) :: any
  defoverridable Shop.Behaviour
end
"#,
        "A.t/1 -> struct A (written)
         A.t/1 -> type Shop.Item.t/1 (written)
         A.t/1 -> type A.own/0 (written)
         A.own/0 -> type String.t/0 (written)
         A.own/0 -> type Shop.Item.id/0 (written)
         A.own/0 -> type A.own/0 (written)
         A.run/2 -> type Shop.Item.t/0 (written)
         A.run/2 -> type A.own/0 (written)
         A.f/3 -> type A.t/1 (written)
         A.f/3 -> type Shop.Item.kind/0 (written)
         A.f/3 -> type Shop.Item.y/0 (written)
         A -> implements Jason.Encoder (written)
         A -> implements Inspect (written)
         A -> type A.own/0 (written)
         A -> behaviour Shop.Behaviour (written)",
    );
}

#[test]
fn chunks_are_what_they_were() {
    let kinds = |source: &str| {
        let chunks = facts(source).chunks.into_iter();
        chunks.map(|chunk| (chunk.kind, chunk.symbol.to_string())).collect::<Vec<_>>()
    };
    assert_eq!(kinds(PHOENIX), [(Some(DefinitionKind::Module), "ShopWeb.Router".to_owned())]);
    assert_eq!(kinds("import Config\n\nconfig :shop, a: 1\n"), [(None, String::new())]);
}

#[test]
fn tables_of_names_are_sorted() {
    assert!(super::types::BUILT_IN.is_sorted());
    assert!(super::schema::QUERIES.is_sorted());
    assert!(super::query::MACROS.is_sorted());
    assert!(super::named::CALLERS.is_sorted());
}
