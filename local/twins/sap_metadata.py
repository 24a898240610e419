"""The `$metadata` of the SAP twin's V2 services, from which other clients learn what an entity has."""

from collections.abc import Iterable
from xml.sax.saxutils import quoteattr

from local.twins.sap_entities import ENTITIES, PRICE, Entity

EDM = {
    "date": 'Type="Edm.DateTime" Precision="0"',
    "bool": 'Type="Edm.Boolean"',
    "amount": 'Type="Edm.Decimal" Precision="16" Scale="3"',
    "quantity": 'Type="Edm.Decimal" Precision="15" Scale="3"',
    "rate": 'Type="Edm.Decimal" Precision="24" Scale="9"',
}
PRICES = {"A_SalesOrderItem": "A_SalesOrderItemPrElement", "A_CreditMemoRequestItem": "A_CreditMemoReqItemPrcgElmnt"}
PRICE_KEYS = ("PricingProcedureStep", "PricingProcedureCounter")


def metadata(service: str, names: Iterable[str]) -> str:
    """The EDMX document of a service that has these entity sets."""
    types = {name: ENTITIES[name] for name in names}
    children: dict[str, tuple[str, str]] = {}
    for name in list(types):
        if f"{name}Item" in types and name in ("A_SalesOrder", "A_CreditMemoRequest"):
            children[name] = ("to_Item", f"{name}Item")
        if name in PRICES:
            children[name] = ("to_PricingElement", PRICES[name])
            types[PRICES[name]] = _price(ENTITIES[name])
    body = [_entity_type(service, name, entity, children.get(name)) for name, entity in types.items()]
    body += [_association(service, name, *child) for name, child in children.items()]
    sets = [f'<EntitySet Name="{name}" EntityType="{service}.{name}Type"/>' for name in types]
    sets += [_association_set(service, name, *child) for name, child in children.items()]
    container = f'<EntityContainer Name="{service}_Entities" m:IsDefaultEntityContainer="true">{"".join(sets)}'
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<edmx:Edmx Version="1.0" xmlns:edmx="http://schemas.microsoft.com/ado/2007/06/edmx" '
        'xmlns:m="http://schemas.microsoft.com/ado/2007/08/dataservices/metadata" '
        'xmlns:sap="http://www.sap.com/Protocols/SAPData"><edmx:DataServices m:DataServiceVersion="2.0">'
        f'<Schema Namespace="{service}" xmlns="http://schemas.microsoft.com/ado/2008/09/edm">'
        f"{''.join(body)}{container}</EntityContainer></Schema></edmx:DataServices></edmx:Edmx>"
    )


def _price(item: Entity) -> Entity:
    keys: dict[str, int | str] = {**dict.fromkeys(item.keys, 10), **dict.fromkeys(PRICE_KEYS, 3)}
    return Entity((*item.keys, *PRICE_KEYS), {**keys, **PRICE.fields})


def _entity_type(service: str, name: str, entity: Entity, child: tuple[str, str] | None) -> str:
    keys = "".join(f'<PropertyRef Name="{key}"/>' for key in entity.keys)
    properties = "".join(
        f"<Property Name={quoteattr(field)} {_type(kind)}{_allowed(entity, field)}/>"
        for field, kind in entity.fields.items()
    )
    leads = ""
    if child:
        relationship = f"{service}.{name}_{child[0]}"
        roles = 'FromRole="one" ToRole="many"'
        leads = f'<NavigationProperty Name="{child[0]}" Relationship="{relationship}" {roles}/>'
    return f'<EntityType Name="{name}Type"><Key>{keys}</Key>{properties}{leads}</EntityType>'


def _type(kind: int | str) -> str:
    return f'Type="Edm.String" MaxLength="{kind}"' if isinstance(kind, int) else EDM[kind]


def _allowed(entity: Entity, field: str) -> str:
    nullable = ' Nullable="false"' if field in entity.keys else ""
    return nullable if not entity.given or field in entity.given else f'{nullable} sap:creatable="false"'


def _association(service: str, name: str, leads: str, child: str) -> str:
    return (
        f'<Association Name="{name}_{leads}"><End Type="{service}.{name}Type" Multiplicity="1" Role="one"/>'
        f'<End Type="{service}.{child}Type" Multiplicity="*" Role="many"/></Association>'
    )


def _association_set(service: str, name: str, leads: str, child: str) -> str:
    return (
        f'<AssociationSet Name="{name}_{leads}Set" Association="{service}.{name}_{leads}">'
        f'<End EntitySet="{name}" Role="one"/><End EntitySet="{child}" Role="many"/></AssociationSet>'
    )
